package graph

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// list answers with a page of a collection.
func (c *call) list(set *collection, all []entity) {
	q, wrong := c.readQuery(set)
	if wrong != nil {
		c.failWith(wrong)
		return
	}
	found := q.matching(all)
	size := q.top
	if size == 0 {
		size = c.pageSize()
	}
	start := min(q.offset, len(found))
	end := min(start+size, len(found))
	context := set.context
	if len(q.selected) > 0 {
		context += "(" + strings.Join(q.selected, ",") + ")"
	}
	page := object{{"@odata.context", c.context(context)}}
	if q.count && q.eventual {
		page = append(page, member{"@odata.count", len(found)})
	}
	if end < len(found) {
		page = append(page, member{"@odata.nextLink", c.nextLink(end)})
	}
	value := []object{}
	for i := range found[start:end] {
		value = append(value, found[start+i].object(q.selected, set.references))
	}
	c.write(http.StatusOK, append(page, member{"value", value}))
}

// count answers with the number of entries as text. Graph does so only in an advanced query.
func (c *call) count(set *collection, all []entity) {
	q, wrong := c.readQuery(set)
	switch {
	case wrong == nil && !q.eventual:
		wrong = badBody("$count is not currently supported.")
	case wrong == nil:
		c.w.Header().Set("Content-Type", "text/plain")
		c.w.Header().Set("Cache-Control", "private")
		_, _ = c.w.Write([]byte(strconv.Itoa(len(q.matching(all)))))
		return
	}
	c.failWith(wrong)
}

// nextLink returns the address of the next page: the same query with another $skiptoken.
func (c *call) nextLink(offset int) string {
	rest := c.queryWithoutToken()
	if rest != "" {
		rest += "&"
	}
	return c.Origin + c.r.URL.Path + "?" + rest + "$skiptoken=" + c.skipToken(offset)
}

// queryWithoutToken returns the query without $skiptoken, unchanged otherwise.
func (c *call) queryWithoutToken() string {
	var kept []string
	for part := range strings.SplitSeq(c.r.URL.RawQuery, "&") {
		name, _, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(name); part != "" && (err != nil || plain != "$skiptoken") {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}

// skipToken makes an opaque token. It holds the offset, and a sum that binds it to the request.
func (c *call) skipToken(offset int) string {
	token := binary.BigEndian.AppendUint32(nil, uint32(offset)) // at most the size of a directory
	return base64.RawURLEncoding.EncodeToString(append(token, c.skipSum(token)...))
}

func (c *call) skipSum(offset []byte) []byte {
	sum := sha256.Sum256([]byte(c.r.URL.Path + "?" + c.queryWithoutToken() + "|" + string(offset)))
	return sum[:12]
}

// readSkipToken returns the offset in a token that nextLink made for this request.
func (c *call) readSkipToken(token string) (int, *problem) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 16 || string(raw[4:]) != string(c.skipSum(raw[:4])) {
		return 0, &problem{http.StatusBadRequest, "Directory_ExpiredPageToken",
			"The specified page token value has expired and can no longer be included in your request."}
	}
	return int(binary.BigEndian.Uint32(raw[:4])), nil
}

package graph

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
)

// photoSize is the width and height of a photo in pixels.
const photoSize = 48

// photo draws the picture of a person: one colour that depends on the ID. Nil means no photo.
func (c *call) photo() []byte {
	if !c.person.Photo {
		return nil
	}
	sum := sha256.Sum256([]byte(c.person.ID))
	picture := image.NewRGBA(image.Rect(0, 0, photoSize, photoSize))
	for x := range photoSize {
		for y := range photoSize {
			picture.Set(x, y, color.RGBA{R: sum[0], G: sum[1], B: sum[2], A: 0xff})
		}
	}
	var text bytes.Buffer
	if err := jpeg.Encode(&text, picture, nil); err != nil {
		panic(err) // our own picture
	}
	return text.Bytes()
}

// errNoPhoto is the answer for a person without a photo (M: the message).
var errNoPhoto = &problem{http.StatusNotFound, "ImageNotFound", "The photo wasn't found."}

// getPhoto describes the photo.
func (c *call) getPhoto() {
	picture := c.photo()
	if picture == nil {
		c.failWith(errNoPhoto)
		return
	}
	size := fmt.Sprintf("%dX%d", photoSize, photoSize)
	c.write(http.StatusOK, object{
		{"@odata.context", c.context("users('" + c.person.ID + "')/photo/$entity")},
		{"@odata.mediaContentType", "image/jpeg"},
		{"@odata.mediaEtag", fmt.Sprintf(`"%X"`, sha256.Sum256(picture))},
		{"id", size},
		{"height", photoSize},
		{"width", photoSize},
	})
}

// getPhotoValue returns the photo as JPEG.
func (c *call) getPhotoValue() {
	picture := c.photo()
	if picture == nil {
		c.failWith(errNoPhoto)
		return
	}
	c.w.Header().Set("Content-Type", "image/jpeg")
	c.w.Header().Set("Cache-Control", "private")
	_, _ = c.w.Write(picture)
}

package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"mcpentra/server/store"
)

// format is the version of the keys in Redis. A program refuses a newer one.
const format = 1

// margin is how long Redis keeps a record after its expiry. The expiry itself is judged by the
// clock of the store's configuration.
const margin = time.Hour

// A Config configures a store in Redis.
type Config struct {
	// URL names the server, with user and password. README.md lists the forms and parameters.
	URL string
	// Config has the bound of the records and the clock. All processes that share a store need the
	// same time.
	store.Config
	// Logger gets the progress of a server that is loading its records. Nil means none.
	Logger *slog.Logger
}

// Open opens a store. It checks that the server keeps records over a restart, does not evict them,
// and runs the scripts. The same checks hold for each server that takes over later. Errors do not
// contain the URL, because it may have a password.
func Open(ctx context.Context, config Config) (store.Store, error) {
	a, err := readAddress(config.URL)
	if err != nil {
		return nil, fmt.Errorf("store: redis: %w", err)
	}
	d, err := newDialer(a)
	if err != nil {
		return nil, fmt.Errorf("store: redis: %w", err)
	}
	s := &redisStore{config: config.Config, cache: newCache()}
	s.connect(a, d)
	logger := config.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	if a.isExposed() {
		logger.Warn("the connection to Redis is without encryption, so others on the network can read the password " +
			"and change the records: write rediss, and leave out plaintext=yes")
	}
	if err := afterLoading(ctx, logger, s.tryOut); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

type redisStore struct {
	remote
	config store.Config
	cache  *cache
	close  func() error
}

// tryOut runs each script once. So a missing right of the ACL user is an error at the start.
func (s *redisStore) tryOut(ctx context.Context) error {
	answer, err := s.run(ctx, openFormat, "", s.now(), format)
	if err != nil {
		return err
	}
	if found, ok := answer.(int64); !ok || found > format {
		return fmt.Errorf("store: redis: written by a newer version of this program (format %v, this one knows %d)",
			answer, format)
	}
	const kind = "start" // several processes may start at once
	key := strconv.FormatInt(time.Now().UnixNano(), 36)
	made := store.Record{Kind: kind, Key: key, Source: "start", Group: "start", Once: true}
	made.Expires = s.config.Time().Add(time.Minute)
	made.Version, err = s.Put(ctx, made)
	if err != nil {
		return err
	}
	if _, err = s.Put(ctx, made); err != nil {
		return err
	}
	if _, err = s.List(ctx, store.Query{Kind: kind, Limit: 1}); err != nil {
		return err
	}
	if _, err = s.Take(ctx, kind, key); err != nil {
		return err
	}
	if err = s.Delete(ctx, kind, key); err != nil {
		return err
	}
	if _, err = s.Get(ctx, kind, key); !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("store: redis: a record that was taken is still there: %w", err)
	}
	_, err = s.Kinds(ctx)
	return err
}

func (s *redisStore) now() int64 { return s.config.Time().Unix() }

func (s *redisStore) Get(ctx context.Context, kind, key string) (store.Record, error) {
	return one(kind)(s.run(ctx, get, kind, s.now(), key))
}

func (s *redisStore) GetCached(ctx context.Context, kind, key string, _ int64) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, fmt.Errorf("store: %w", err)
	}
	// The age counts by the process's own clock: the store's clock may be set back.
	since := time.Now()
	record, found, writes := s.cache.get(recordKey{kind, key}, since, s.config.Time())
	if found {
		return record, nil
	}
	record, err := s.Get(ctx, kind, key)
	if err == nil {
		s.cache.keep(record, since, writes)
	}
	return record, err
}

func (s *redisStore) Put(ctx context.Context, record store.Record) (int64, error) {
	if err := record.Check(); err != nil {
		return 0, err
	}
	defer s.cache.forget(record.Kind, record.Key)
	now := s.now()
	expires := record.Expires.Unix()
	keep := max(expires-now, 0) + int64(margin/time.Second)
	answer, err := s.run(ctx, put, record.Kind, now, record.Key, record.Version, expires, keep, record.Source,
		record.Group, record.Once, s.config.Most(), record.Limit, record.Value)
	if err != nil {
		return 0, err
	}
	numbers, _ := answer.([]any)
	if len(numbers) != 2 {
		return 0, put.unknown(fmt.Errorf("the answer is a %T", answer))
	}
	version, _ := numbers[0].(int64)
	if forgotten, _ := numbers[1].(int64); forgotten > 0 {
		s.cache.forgetAll()
	}
	if version == 0 {
		return 0, store.ErrConflict
	}
	return version, nil
}

func (s *redisStore) Take(ctx context.Context, kind, key string) (store.Record, error) {
	defer s.cache.forget(kind, key)
	return one(kind)(s.run(ctx, take, kind, s.now(), key))
}

func (s *redisStore) Delete(ctx context.Context, kind, key string) error {
	defer s.cache.forget(kind, key)
	_, err := s.run(ctx, del, kind, s.now(), key)
	return err
}

// listBytes bounds the values in one answer of the server. It does not bound a page.
const listBytes = 4 << 20

func (s *redisStore) List(ctx context.Context, query store.Query) ([]store.Record, error) {
	var page []store.Record
	for after := query.After; ; {
		answer, err := s.run(ctx, list, query.Kind, s.now(), query.Source, query.Group, after,
			query.PageSize()-len(page), listBytes)
		if err != nil {
			return nil, err
		}
		parts, ok := answer.([]any)
		if !ok || len(parts) == 0 {
			return nil, fmt.Errorf("store: redis: the answer is a %T", answer)
		}
		for _, part := range parts[1:] {
			record, err := readRecord(query.Kind, part)
			if err != nil {
				return nil, err
			}
			page = append(page, record)
		}
		after, _ = parts[0].(string)
		if after == "" || len(page) >= query.PageSize() {
			return page, nil
		}
	}
}

func (s *redisStore) Kinds(ctx context.Context) ([]string, error) {
	answer, err := s.run(ctx, kinds, "", s.now())
	if err != nil {
		return nil, err
	}
	parts, ok := answer.([]any)
	if !ok {
		return nil, fmt.Errorf("store: redis: the answer is a %T", answer)
	}
	var found []string
	for _, part := range parts {
		kind, _ := part.(string)
		found = append(found, kind)
	}
	return found, nil
}

func (s *redisStore) Close() error {
	if err := s.close(); err != nil && !errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("store: redis: %w", err)
	}
	return nil
}

// one reads the answer of a script that returns a record or nothing.
func one(kind string) func(answer any, err error) (store.Record, error) {
	return func(answer any, err error) (store.Record, error) {
		switch {
		case errors.Is(err, redis.Nil):
			return store.Record{}, store.ErrNotFound
		case err != nil:
			return store.Record{}, err
		}
		return readRecord(kind, answer)
	}
}

// readRecord reads what result in library.lua returns.
func readRecord(kind string, answer any) (store.Record, error) {
	parts, _ := answer.([]any)
	var texts [6]string
	if len(parts) != len(texts) {
		return store.Record{}, fmt.Errorf("store: redis: want a record, got a %T with %d parts", answer, len(parts))
	}
	for i, part := range parts {
		texts[i], _ = part.(string)
	}
	version, errVersion := strconv.ParseInt(texts[2], 10, 64)
	expires, errExpires := strconv.ParseInt(texts[3], 10, 64)
	if err := errors.Join(errVersion, errExpires); err != nil {
		return store.Record{}, fmt.Errorf("store: redis: a record is damaged: %w", err)
	}
	return store.Record{
		Kind:    kind,
		Key:     texts[0],
		Value:   []byte(texts[1]),
		Version: version,
		Expires: time.Unix(expires, 0),
		Source:  texts[4],
		Group:   texts[5],
	}, nil
}

package chunks

// NewOf is New with chunks of another size.
func NewOf(dir string, limit, chunk int64) *Cache {
	c := New(dir, limit)
	c.chunk = chunk
	return c
}

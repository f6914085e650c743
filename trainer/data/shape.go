package data

import "fmt"

// This is what to do about an array whose rows and columns are exchanged.
const transposeHint = "rows are tokens and columns are dimensions; if the array is transposed, " +
	"save numpy.ascontiguousarray(x.T) or x.T.contiguous()"

// shape returns the shape of a shard, or of several with rows of one width.
func shape(rows int64, dim int) string { return fmt.Sprintf("[%d, %d]", rows, dim) }

// checkShape returns an error if the source has fewer rows than numbers in a row.
func (s *shards) checkShape(source string) error {
	if s.count >= int64(s.width) {
		return nil
	}
	of := "its shape is "
	if len(s.list) > 1 {
		of = fmt.Sprintf("the shape of its %d shards together is ", len(s.list))
	}
	return &SourceError{Source: source, Msg: of + shape(s.count, s.width) + ", and it needs at least as many rows as " +
		"columns: " + transposeHint}
}

// shapeNotes returns a note if every shard has fewer rows than numbers in a row.
func (s *shards) shapeNotes() []string {
	first := &s.list[0]
	for i := range s.list {
		if s.list[i].rows >= int64(s.width) {
			return nil
		}
	}
	return []string{fmt.Sprintf("No shard has as many rows as columns; the shape of %s is %s: %s.",
		first.name, shape(first.rows, first.dim), transposeHint)}
}

// widthError says that two shards have rows of different widths.
func widthError(sh, first *shard) error {
	msg := fmt.Sprintf("its rows have %d numbers, those of %s have %d: all shards need one width",
		sh.dim, first.name, first.dim)
	turned, hint := "", fmt.Sprintf(" looks transposed (%s is %s, %s is %s): %s",
		sh.name, shape(sh.rows, sh.dim), first.name, shape(first.rows, first.dim), transposeHint)
	switch a, b := sh.rows == int64(first.dim), first.rows == int64(sh.dim); {
	case a && b:
		turned = "one of the two"
	case a:
		turned = sh.name
	case b:
		turned = first.name
	default:
		return &ShardError{sh.name, msg}
	}
	return &ShardError{sh.name, msg + "; " + turned + hint}
}

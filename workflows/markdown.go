package workflows

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lengths of what a view shows of a text, in characters.
const (
	maxLabel = 90
	maxWord  = 60
	maxError = 240
	maxCode  = 300

	maxText = 4_096 // in bytes: of a longer text no more is looked at
)

// A section is a part of a Markdown text with a bound in bytes of JSON.
type section struct {
	text strings.Builder
	left int
}

func newSection(bound int) *section { return &section{left: bound} }

// add adds a text if it fits as a whole, and reports whether it did.
func (s *section) add(text string) bool {
	size := jsonSize(text)
	if size > s.left {
		return false
	}
	s.left -= size
	s.text.WriteString(text)
	return true
}

func (s *section) addIf(is bool, text string) {
	if is {
		s.add(text)
	}
}

func (s *section) String() string { return s.text.String() }

// jsonSize returns how many bytes a text takes in JSON as encoding/json writes it, without the quotes around it.
func jsonSize(text string) int {
	size := 0
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && n == 1, r == '<', r == '>', r == '&', r == '\u2028', r == '\u2029':
			size += len(`\u0000`)
		case r == '"', r == '\\', r == '\n', r == '\r', r == '\t', r == '\b', r == '\f':
			size += 2
		case r < ' ':
			size += len(`\u0000`)
		default:
			size += n
		}
		i += n
	}
	return size
}

// oneLine returns a text without line breaks, other control characters and characters that change its direction, as
// valid UTF-8.
func oneLine(text string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, text)), " ")
}

// cut returns a text in one line, of at most so many characters. … stands for an end that is left out.
func cut(text string, length int) string {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	text = oneLine(text)
	if utf8.RuneCountInString(text) <= length {
		return text
	}
	return strings.TrimRight(string([]rune(text)[:length-1]), " ") + "…"
}

// cause returns an error's message in one line. The cause stands at the end of a chain such as "train stage: step 17:
// the loss is NaN", so that a long chain loses links at its beginning, for which … stands.
func cause(message string) string {
	if len(message) > maxText {
		message = "… " + strings.ToValidUTF8(message[len(message)-maxText:], "")
	}
	message = oneLine(message)
	for utf8.RuneCountInString(message) > maxError && strings.Count(message, ": ") > 1 {
		_, rest, _ := strings.Cut(strings.TrimPrefix(message, "… "), ": ")
		message = "… " + rest
	}
	return escape(message, maxError)
}

// escape returns a text of at most so many characters as Markdown shows it literally, in a sentence and in a cell of a
// table. A character that Markdown, or the Web UI, acts on is written as its number, as &#124;, which nothing acts on.
// An underscore between letters or digits, as in dict_size, emphasises nothing and stays.
func escape(text string, length int) string {
	text = cut(text, length)
	var b strings.Builder
	before := ' '
	for i, r := range text {
		after, _ := utf8.DecodeRuneInString(text[i+utf8.RuneLen(r):])
		if acts(before, r, after) {
			b.WriteString("&#" + strconv.Itoa(int(r)) + ";")
		} else {
			b.WriteRune(r)
		}
		before = r
	}
	return b.String()
}

// acts reports whether Markdown may act on a character between two others.
func acts(before, r, after rune) bool {
	switch r {
	case '<', '>', '&', '|', '`', '*', '[', ']', '{', '}', '\\', '$', '~', '^':
		return true
	case '#', '+', '!': // the first of a line, or of a link
		return before == ' '
	case '_':
		return !isWord(before) || !isWord(after)
	case '-':
		return before == '-' || after == '-' // would become a dash
	case '/', '⁄':
		return unicode.IsDigit(before) && unicode.IsDigit(after) // would become a fraction
	case ':':
		return isWord(before) && (after == '/' || unicode.IsLetter(after)) // would become a link
	case '.':
		return (before == 'w' || before == 'W') && isWord(after) // the same, as in www.
	}
	return false
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// code returns a text in one line as code. What would end that, or would be more than text in it, is shown as escape
// does.
func code(text string) string {
	for _, r := range text {
		if !isWord(r) && !strings.ContainsRune(" =+-_.,:;/@%()…\\~#&$'\"", r) {
			return escape(text, maxCode)
		}
	}
	if text = cut(text, maxCode); text == "" {
		return ""
	}
	return "`" + text + "`"
}

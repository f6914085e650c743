package figures

import (
	"image/color"
	"strings"
	"unicode"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// The sizes of text. They are those on paper, whatever the width of a figure.
const (
	titleText vg.Length = 8.5
	axisText  vg.Length = 7.5
	tickText  vg.Length = 7
	smallText vg.Length = 6.2
)

// newTextHandler returns what measures and draws text: in Liberation Sans, which has the widths of Arial and Helvetica.
func newTextHandler() text.Handler { return text.Plain{Fonts: font.NewCache(liberation.Collection())} }

// textStyle is that of a text of one size, aligned to the left and the bottom.
func textStyle(h text.Handler, size vg.Length, colour color.Color) text.Style {
	return text.Style{
		Color: colour, Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}, Handler: h,
	}
}

// wrap breaks a text into lines of a width. A word that is longer stands alone.
func wrap(s string, style text.Style, width vg.Length) []string {
	var out []string
	last := ""
	for _, word := range strings.Fields(s) {
		if longer := strings.TrimSpace(last + " " + word); last == "" || style.Width(longer) <= width {
			last = longer
			continue
		}
		out, last = append(out, last), word
	}
	if last != "" {
		out = append(out, last)
	}
	return out
}

// drawable replaces what a figure cannot show in every format: the fonts of a PDF hold the characters of Latin-1.
func drawable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '−' || r == '–':
			return '-'
		case r > 0xff || r == unicode.ReplacementChar:
			return '?'
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return ' '
		}
		return r
	}, s)
}

// cut shortens a text to a width, with dots at its end.
func cut(s string, style text.Style, width vg.Length) string {
	if style.Width(s) <= width {
		return s
	}
	short := []rune(s)
	for len(short) > 0 && style.Width(string(short)+"...") > width {
		short = short[:len(short)-1]
	}
	return string(short) + "..."
}

package grid

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// number reads a number as people write it in YAML: 16, -3, 0.8, .5, 1e7, 1E+7,
// 10_000_000. NaN and Inf in any spelling are numbers that are not finite.
func number(text string) (x float64, err error) {
	t := strings.TrimPrefix(strings.TrimLeft(strings.ToLower(text), "+-"), ".")
	if t == "nan" || t == "inf" || t == "infinity" {
		return 0, fmt.Errorf("%s is not a finite number", text)
	}
	digits, err := plain(text)
	if err != nil {
		return 0, err
	}
	x, err = strconv.ParseFloat(digits, 64)
	if err != nil || math.IsInf(x, 0) {
		return 0, fmt.Errorf("%s is not a finite number", text)
	}
	return x, nil
}

// integer reads a whole number, which may be written as 1e7 or 10_000_000.
func integer(text string) (int64, error) {
	x, err := number(text)
	if err != nil {
		return 0, err
	}
	if digits, _ := plain(text); !strings.ContainsAny(digits, ".eE") {
		i, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s is too large", text)
		}
		return i, nil
	}
	if x != math.Trunc(x) {
		return 0, fmt.Errorf("%s is not a whole number", text)
	}
	if math.Abs(x) > 1<<53 {
		return 0, fmt.Errorf("%s is too large", text)
	}
	return int64(x), nil
}

var errNotNumber = errors.New("not a number")

// plain takes the underscores out of a decimal number. Anything else that other
// readers take for a number, such as 0x10 or the octal 010, is an error: it
// means different things to different people.
func plain(text string) (string, error) {
	if text == "" || strings.Trim(text, "0123456789_.eE+-") != "" {
		return "", errNotNumber
	}
	for i := range len(text) {
		if text[i] == '_' && (i == 0 || i == len(text)-1 || !digit(text[i-1]) || !digit(text[i+1])) {
			return "", errNotNumber
		}
	}
	digits := strings.ReplaceAll(text, "_", "")
	if _, err := strconv.ParseFloat(digits, 64); errors.Is(err, strconv.ErrSyntax) {
		return "", errNotNumber
	}
	if t := strings.TrimLeft(digits, "+-"); len(t) > 1 && t[0] == '0' && digit(t[1]) {
		return "", fmt.Errorf("%s has a leading zero: write %s", text, strings.TrimLeft(t, "0"))
	}
	return digits, nil
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// short prints a number in the fewest digits that read back as it.
func short(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

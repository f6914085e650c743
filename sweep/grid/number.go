package grid

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// errNotNumber says that a text is no number at all. Other errors say what is wrong with a number.
var errNotNumber = errors.New("not a number")

// parseFloat reads a number as people write it in YAML: 16, -3, 0.8, .5, 1e7, 1E+7, 10_000_000. All spellings of a
// number give the same float64: -0.0 is 0. NaN and Inf, in any spelling, are errors, and so is a number that is not 0
// and that float64 would hold as 0.
func parseFloat(text string) (x float64, err error) {
	t := strings.TrimPrefix(strings.TrimLeft(strings.ToLower(text), "+-"), ".")
	if t == "nan" || t == "inf" || t == "infinity" {
		return 0, fmt.Errorf("%s is not a finite number", text)
	}
	digits, err := plainDecimal(text)
	if err != nil {
		return 0, err
	}
	x, err = strconv.ParseFloat(digits, 64)
	if err != nil || math.IsInf(x, 0) {
		return 0, fmt.Errorf("%s is not a finite number", text)
	}
	if x == 0 {
		if mantissa, _, _ := strings.Cut(strings.ToLower(digits), "e"); strings.ContainsAny(mantissa, "123456789") {
			return 0, fmt.Errorf("%s is too close to 0: write 0", text)
		}
		return 0, nil // not -0, which is another float64 and has another cell ID
	}
	return x, nil
}

// parseInt reads a whole number, which may be written as 1e7 or 10_000_000. It is exact: a float64 would hold
// 9007199254740993.0 as 9007199254740992.
func parseInt(text string) (int64, error) {
	x, err := parseFloat(text)
	if x == 0 || err != nil { // of a number that is not 0, the exponent is small enough for big.Rat
		return 0, err
	}
	digits, err := plainDecimal(text)
	if err != nil {
		return 0, err
	}
	exact, ok := new(big.Rat).SetString(digits)
	switch {
	case !ok:
		return 0, errNotNumber
	case !exact.IsInt():
		return 0, fmt.Errorf("%s is not a whole number", text)
	case !exact.Num().IsInt64():
		return 0, fmt.Errorf("%s is too large", text)
	}
	return exact.Num().Int64(), nil
}

// plainDecimal returns a decimal number without its underscores. Other notations, such as 0x10 or the octal 010, are
// errors: YAML 1.1, YAML 1.2 and people read them differently.
func plainDecimal(text string) (string, error) {
	if text == "" || strings.Trim(text, "0123456789_.eE+-") != "" {
		return "", errNotNumber
	}
	for i := range len(text) {
		if text[i] == '_' && (i == 0 || i == len(text)-1 || !isDigit(text[i-1]) || !isDigit(text[i+1])) {
			return "", errNotNumber
		}
	}
	digits := strings.ReplaceAll(text, "_", "")
	if _, err := strconv.ParseFloat(digits, 64); errors.Is(err, strconv.ErrSyntax) {
		return "", errNotNumber
	}
	t := strings.TrimLeft(digits, "+-")
	sign := strings.TrimSuffix(digits, t)
	if len(t) > 1 && t[0] == '0' && isDigit(t[1]) {
		for len(t) > 1 && t[0] == '0' && isDigit(t[1]) {
			t = t[1:]
		}
		return "", fmt.Errorf("%s has a leading zero: write %s", text, sign+t)
	}
	return digits, nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// formatFloat prints a number with the fewest digits that read back as the same number.
func formatFloat(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

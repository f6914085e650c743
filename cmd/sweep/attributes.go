package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/topksweep/sweep/sweep/grid"
	"github.com/topksweep/sweep/sweep/ledger"
	"github.com/topksweep/sweep/sweep/plan"
	"github.com/topksweep/sweep/sweep/protocol"
)

const (
	// maxKeyword is the longest value of a search attribute of type Keyword, in characters: a server with SQL visibility
	// has VARCHAR(255) for it.
	maxKeyword = 255

	// maxAxes bounds the value of SweepAxes, in bytes of its JSON: a server refuses more than 2,048.
	maxAxes = 1500

	// listTimeout is how long a server may take to say which search attributes it has.
	listTimeout = 10 * time.Second
)

// searchAttributeKeys are the search attributes by which sweeps are found.
func searchAttributeKeys() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{
		temporal.NewSearchAttributeKeyKeyword(protocol.AttrName),
		temporal.NewSearchAttributeKeyKeyword(protocol.AttrState),
		temporal.NewSearchAttributeKeyInt64(protocol.AttrCells),
		temporal.NewSearchAttributeKeyInt64(protocol.AttrDone),
		temporal.NewSearchAttributeKeyInt64(protocol.AttrFailed),
		temporal.NewSearchAttributeKeyFloat64(protocol.AttrBestNMSE),
		temporal.NewSearchAttributeKeyKeyword(protocol.AttrData),
		temporal.NewSearchAttributeKeyKeywordList(protocol.AttrAxes),
		temporal.NewSearchAttributeKeyKeyword(protocol.AttrOwner),
	}
}

// searchAttributes returns the types of the search attributes by name.
func searchAttributes() map[string]enums.IndexedValueType {
	types := map[string]enums.IndexedValueType{}
	for _, key := range searchAttributeKeys() {
		types[key.GetName()] = key.GetValueType()
	}
	return types
}

// knownAttributes returns the search attributes of sweeps that the server's namespace has with the right type, sorted.
// It says which are missing, unless that was said when the server started. A server runs sweeps without them all the
// same. Where payloads are encrypted, those that name the data and the settings are left out: the server can read them.
func knownAttributes(ctx context.Context, errOut io.Writer, srv *server) []string {
	listCtx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	request := &operatorservice.ListSearchAttributesRequest{Namespace: srv.namespace}
	list, err := srv.client.OperatorService().ListSearchAttributes(listCtx, request)
	if err != nil {
		if ctx.Err() == nil {
			fmt.Fprintf(errOut, "note: the sweep gets no search attributes, because the server does not list them: %v\n", err)
		}
		return nil
	}
	var known []string
	var missing []string
	how := makingAttributes(srv.cloud)
	types := searchAttributes()
	if srv.encrypted { // the server reads search attributes
		delete(types, protocol.AttrData)
		delete(types, protocol.AttrAxes)
	}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		switch got, ok := list.CustomAttributes[name]; {
		case ok && got == types[name]:
			known = append(known, name)
		case srv.attributesNoted:
		case ok:
			fmt.Fprintf(errOut, "note: the sweep goes without the search attribute %s: in the namespace %s it is of type %v, "+
				"not %v\n", name, srv.namespace, got, types[name])
		default:
			missing = append(missing, fmt.Sprintf(how.each, name, types[name]))
		}
	}
	if len(missing) > 0 {
		fmt.Fprintf(errOut, "note: the namespace %s lacks search attributes of sweeps; this makes them:\n"+
			"  %[2]s --namespace %[1]s%[3]s\n", srv.namespace, how.command, strings.Join(missing, ""))
	}
	return known
}

// attributeMaker is the command that makes search attributes.
type attributeMaker struct {
	command string
	each    string // for each one, with %s for its name and %v for its type
}

// makingAttributes returns the command that makes search attributes. On Temporal Cloud the temporal command may not.
func makingAttributes(cloud bool) attributeMaker {
	if cloud {
		return attributeMaker{"tcld namespace search-attributes add", " --search-attribute %s=%v"}
	}
	return attributeMaker{"temporal operator search-attribute create", " --name %s --type %v"}
}

// firstAttributes are the values with which a sweep starts, of those search attributes that are known. The workflow
// keeps them up to date. A cell is one of the sweep's, each with the values of h.Axes.
func firstAttributes(known []string, h *plan.Header, cells []grid.Cell, owner string) temporal.SearchAttributes {
	var set []temporal.SearchAttributeUpdate
	for _, key := range searchAttributeKeys() {
		if !slices.Contains(known, key.GetName()) {
			continue
		}
		switch key := key.(type) {
		case temporal.SearchAttributeKeyKeyword:
			if value := keywordOf(key.GetName(), h, owner); value != "" {
				set = append(set, key.ValueSet(value))
			}
		case temporal.SearchAttributeKeyInt64:
			if key.GetName() == protocol.AttrCells {
				set = append(set, key.ValueSet(int64(h.CellCount)))
			}
		case temporal.SearchAttributeKeyKeywordList:
			if axes := axesOf(h.Axes, cells); len(axes) > 0 {
				set = append(set, key.ValueSet(axes))
			}
		}
	}
	return temporal.NewSearchAttributes(set...)
}

// keywordOf returns the value of a Keyword with which a sweep starts; "" for none.
func keywordOf(name string, h *plan.Header, owner string) string {
	switch name {
	case protocol.AttrName:
		return keyword(h.Name)
	case protocol.AttrState:
		return string(plan.Training)
	case protocol.AttrData:
		var sources []string
		for _, s := range h.DataSets() {
			source := s.Data.Source
			if s.Data.Synthetic != nil {
				source = "synthetic"
			}
			if !slices.Contains(sources, source) {
				sources = append(sources, source)
			}
		}
		return keyword(strings.Join(sources, ", "))
	case protocol.AttrOwner:
		return keyword(owner)
	}
	return ""
}

// keyword makes a text one that every server takes as a Keyword: PostgreSQL has no character NUL, and room for 255
// characters.
func keyword(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if runes := []rune(text); len(runes) > maxKeyword {
		return string(runes[:maxKeyword])
	}
	return text
}

// axesOf returns the keys that vary and, as key=value, their values, in the order of the grid. The values of a key are
// all there or, if they do not fit into maxAxes, all left out. So a query for a value finds no sweep by chance.
func axesOf(axes []string, cells []grid.Cell) []string {
	const around = 3 // bytes of JSON: two quotes and a comma
	var out []string
	size := 0
	add := func(words []string) {
		more := 0
		for _, w := range words {
			more += jsonSize(w) + around
		}
		if size+more < maxAxes {
			out, size = append(out, words...), size+more
		}
	}
	for _, axis := range axes {
		add([]string{keyword(axis)})
	}
	for i, axis := range axes {
		var values []string
		seen, total := map[string]bool{}, 0
		for _, c := range cells {
			if i >= len(c.Values) || seen[c.Values[i]] || total > maxAxes {
				continue
			}
			seen[c.Values[i]] = true
			values = append(values, keyword(axis+"="+c.Values[i]))
			total += len(values[len(values)-1])
		}
		add(values)
	}
	return out
}

// jsonSize returns how many bytes a text takes in JSON, at most, without quotes.
func jsonSize(text string) (n int) {
	for _, r := range text {
		switch {
		case r < ' ', r == '<', r == '>', r == '&', r == '\u2028', r == '\u2029':
			n += len(`\u0000`)
		case r == '"', r == '\\':
			n += 2
		default:
			n += len(string(r))
		}
	}
	return n
}

// cellsOf reads the cells of a stored sweep.
func cellsOf(ctx context.Context, l *ledger.Ledger, h *plan.Header) (cells []grid.Cell, err error) {
	for chunk := range h.Chunks() {
		part, err := l.Cells(ctx, h, chunk)
		if err != nil {
			return nil, err
		}
		cells = append(cells, part...)
	}
	return cells, nil
}

//go:build !noserver

package local

import (
	"net/http"
	"strings"

	"go.temporal.io/sdk/converter"
)

// codecPath is where the Web UI's page has payloads decoded, and the inputs of updates encoded.
const codecPath = "/codec"

// withCodec puts a codec for the Web UI's page before its handler; nothing if there is none. The page sends it no token
// of its cookie, as it does with what changes something.
func withCodec(ui http.Handler, codec converter.PayloadCodec) http.Handler {
	if codec == nil {
		return ui
	}
	h := converter.NewPayloadCodecHTTPHandler(codec)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, codecPath+"/") {
			ui.ServeHTTP(w, r)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxUIMessage)
		h.ServeHTTP(w, r)
	})
}

package workflows

import (
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
)

func silent() sdklog.Logger {
	return sdklog.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
}

func replayer() worker.WorkflowReplayer {
	r := worker.NewWorkflowReplayer()
	Register(r)
	return r
}

// A sweep that runs while the program is replaced goes on with the new program. It must issue the same commands as the
// old one, whose histories are recorded here.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d recorded histories, %v", len(files), err)
	}
	for _, file := range files {
		if err := replayer().ReplayWorkflowHistoryFromJSONFile(silent(), file); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

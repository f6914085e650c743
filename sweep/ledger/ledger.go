package ledger

import "github.com/topksweep/sweep/storage"

// A Ledger reads and writes the sweeps of one store. It holds no state of its
// own; many goroutines may use it.
type Ledger struct{ store storage.Store }

// New returns the ledger of a store.
func New(store storage.Store) *Ledger { return &Ledger{store} }

// maxObject bounds in bytes what is read of a plan's header or of one chunk.
const maxObject = 64 << 20

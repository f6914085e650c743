package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/topksweep/sweep/storage"
	"github.com/topksweep/sweep/trainer"
)

// InitHash returns what trainer.Config.Init is for weights of width d with f latents, in units of the activations as
// stored: the SHA-256 of trainer.EncodeWeights, in hex.
func InitHash(d, f int, p *trainer.Params) (string, error) {
	body, err := trainer.EncodeWeights(d, f, p)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(body, 0, body.Size())); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// isInitHash says that a text may be an InitHash.
func isInitHash(s string) bool {
	return len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
}

// StoreInit stores the weights whose InitHash is hash, unless they are there already, and reads them back.
func (l *Ledger) StoreInit(ctx context.Context, hash string, d, f int, p *trainer.Params) error {
	body, err := trainer.EncodeWeights(d, f, p)
	if err != nil {
		return err
	}
	key := InitKey(hash)
	err = storage.VerifyObject(ctx, l.store, key, body.Size(), hash)
	if err == nil || !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrCorrupt) {
		return err
	}
	if err := l.store.Put(ctx, key, body, body.Size()); err != nil {
		return storage.Wrap("put", key, err)
	}
	return storage.VerifyObject(ctx, l.store, key, body.Size(), hash)
}

// HasInit says that a listing shows the weights whose InitHash is hash.
func (l *Ledger) HasInit(ctx context.Context, hash string) (bool, error) {
	objects, err := l.store.List(ctx, InitKey(hash))
	return len(objects) > 0 && objects[0].Key == InitKey(hash), err
}

// Init reads the weights whose InitHash is hash into p, which trainer.NewParams(d, f) made. It takes no memory besides
// p. The error wraps storage.ErrNotFound if the store has none, and storage.ErrCorrupt if two reads prove that they are
// damaged. In both cases whoever submits the grid, or extends the sweep by it, again stores them anew.
func (l *Ledger) Init(ctx context.Context, hash string, d, f int, p *trainer.Params) error {
	body, err := trainer.EncodeWeights(d, f, p)
	if err != nil {
		return err
	}
	size := body.Size()
	err = storage.LoadObject(ctx, l.store, InitKey(hash), size, hash, func(r io.Reader) error {
		return trainer.DecodeWeights(r, size, d, f, p)
	})
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("the model that the run begins from is not in the store: "+
			"submit the grid again, or extend the sweep by it again, which stores it: %w", err)
	case errors.Is(err, storage.ErrCorrupt):
		return fmt.Errorf("the model that the run begins from is damaged: "+
			"submit the grid again, or extend the sweep by it again, which stores it anew: %w", err)
	}
	return err
}

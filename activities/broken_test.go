package activities

import "github.com/topksweep/sweep/trainer"

// broken is a backend whose models do not work: each of its functions may be nil.
type broken struct {
	trainer.Backend
	new  func() error
	save func() error
}

// OfClass implements trainer.Backend: it stays broken.
func (b *broken) OfClass(string) (trainer.Backend, error) { return b, nil }

func (b *broken) New(c trainer.Config, s *trainer.State, data trainer.Batches) (trainer.Model, error) {
	if b.new != nil {
		if err := b.new(); err != nil {
			return nil, err
		}
	}
	m, err := b.Backend.New(c, s, data)
	return brokenModel{m, b}, err
}

type brokenModel struct {
	trainer.Model
	b *broken
}

func (m brokenModel) Save(s *trainer.State) error {
	if m.b.save != nil {
		if err := m.b.save(); err != nil {
			return err
		}
	}
	return m.Model.Save(s)
}

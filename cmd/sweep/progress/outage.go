package progress

import "time"

// An Outage is a time in which something is missing that a sweep needs. The view
// gets one line when it begins and one when it ends.
type Outage struct {
	Began, Ended string    // the lines
	Since        time.Time // when the present outage began; zero if there is none
}

// Update says whether the outage goes on.
func (o *Outage) Update(v View, missing bool) {
	switch {
	case missing && o.Since.IsZero():
		o.Since = time.Now()
		v.Say(o.Began)
	case !missing && !o.Since.IsZero():
		o.Since = time.Time{}
		v.Say(o.Ended)
	}
}

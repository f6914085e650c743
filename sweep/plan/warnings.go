package plan

import (
	"fmt"
	"math"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/topksweep/sweep/trainer"
)

// warn adds warnings about settings that are valid and probably a mistake, and about the data.
func (p *Plan) warn() {
	var neverDead, noAuxK, bigBatch, dense int
	few := int64(math.MaxInt64) // rows to train on, of a data set with fewer than a batch
	again := int64(0)           // the same, of the data set that a run goes over most often
	of := p.dataOf()
	for _, c := range p.Cells {
		info := of(c).Info
		rows := info.Rows - info.EvalRows
		if epochsOf(c.Config, info) == p.EpochsMax {
			again = rows
		}
		r, err := trainer.RecipeByName(c.Config.Recipe)
		if err == nil && !r.Dead(c.Config.Tokens(), c.Config.DeadFeatureThreshold) {
			neverDead++
			if c.Config.AuxKAlpha > 0 {
				noAuxK++
			}
		}
		if c.Config.K == c.Config.DictSize {
			dense++
		}
		if rows > 0 && int64(c.Config.BatchSize) > rows {
			bigBatch++
			few = min(few, rows)
		}
	}
	warn := func(n int, format string, args ...any) {
		if n > 0 {
			cells := fmt.Sprintf("%s of %s cells ", humanize.Comma(int64(n)), humanize.Comma(int64(len(p.Cells))))
			if n == len(p.Cells) {
				cells = "all cells "
			}
			p.Warnings = append(p.Warnings, cells+fmt.Sprintf(format, args...))
		}
	}
	if noAuxK > 0 {
		warn(neverDead, "train on fewer tokens than dead_feature_threshold: no latent can be dead, and AuxK never acts")
	} else {
		warn(neverDead, "train on fewer tokens than dead_feature_threshold: no latent can be dead")
	}
	warn(dense, "have a k as large as dict_size: they keep every activation, and nothing makes them sparse")
	warn(bigBatch, "have a batch_size above the %s rows to train on", humanize.Comma(few))
	for _, s := range p.DataSets() {
		for _, note := range s.Info.Notes {
			p.Warnings = append(p.Warnings, strings.TrimSuffix("data "+s.Name, " ")+": "+note)
		}
	}
	if p.EpochsMax > 1 {
		has := "the data has"
		if len(p.Sets) > 1 {
			has = "its data set has"
		}
		p.Warnings = append(p.Warnings, fmt.Sprintf("a run sees each row up to %.3g times: %s %s rows to train on",
			p.EpochsMax, has, humanize.Comma(again)))
	}
}

package workflows

import "go.temporal.io/sdk/workflow"

// The versions of the commands that a history holds. A history keeps the version that it began with.
const (
	// versionPlain: activities have numbers for IDs. Stages are only stopped all together.
	versionPlain = workflow.DefaultVersion

	// versionSteered: activity IDs name cells, stages are stopped one by one, search attributes follow the sweep, and
	// the workflow looks at what its workers do.
	versionSteered workflow.Version = 1

	// versionShort: several short runs go into one activity, the next chunk of the plan is read ahead, and a history also
	// ends by its size.
	versionShort workflow.Version = 2
)

// steeredChange is the name under which a history records its version.
const steeredChange = "steered"

// versionOf returns the version of the commands of this history. It must be called before any command.
func versionOf(ctx workflow.Context) workflow.Version {
	return workflow.GetVersion(ctx, steeredChange, versionPlain, versionShort)
}

package local

import (
	_ "github.com/goccy/go-yaml"
	_ "github.com/olekukonko/tablewriter"
	_ "github.com/spf13/cobra"
	_ "github.com/temporalio/ui-server/v2/server"
	_ "github.com/vbauerster/mpb/v8"
	_ "go.temporal.io/sdk/client"
	_ "go.temporal.io/sdk/worker"
	_ "go.temporal.io/sdk/workflow"
	_ "go.temporal.io/sdk/contrib/envconfig"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	_ "go.temporal.io/server/schema/sqlite"
	_ "go.temporal.io/server/temporal"
	_ "golang.org/x/term"
	_ "golang.org/x/sys/cpu"
	_ "github.com/minio/minio-go/v7"
	_ "github.com/google/uuid"
)

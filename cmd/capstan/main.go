// Command capstan is a payment authorization and capture server, with the
// tools to try it, measure it and audit it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes of every command.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// commands are the commands of the program; each has a file of its own.
type commands struct {
	Tour      tourCommand      `cmd:"" help:"Start a throw-away sandbox and walk through the four dialects."`
	Serve     serveCommand     `cmd:"" help:"Run the server."`
	Merchant  merchantCommand  `cmd:"" help:"Make, list and change merchants."`
	Key       keyCommand       `cmd:"" help:"Make, list, rotate and disable keys."`
	Risk      riskCommand      `cmd:"" help:"Risk checks for all merchants."`
	Delivery  deliveryCommand  `cmd:"" help:"Messages to merchants: list them, send them again."`
	Explain   explainCommand   `cmd:"" help:"Tell the story of one payment."`
	Audit     auditCommand     `cmd:"" help:"List who administered what."`
	Verify    verifyCommand    `cmd:"" help:"Audit a store: recompute everything from its history."`
	Backup    backupCommand    `cmd:"" help:"Copy a store while it is in use."`
	Restore   restoreCommand   `cmd:"" help:"Make a store from a backup."`
	Migrate   migrateCommand   `cmd:"" help:"Bring the schema of a store up to date."`
	Move      moveCommand      `cmd:"" help:"Move a store between SQLite and PostgreSQL."`
	Reconcile reconcileCommand `cmd:"" help:"Compare the books with what remote processors have performed."`
	Simulator simulatorCommand `cmd:"" help:"Run a simulated card acquirer as a process of its own."`
	Conform   conformCommand   `cmd:"" help:"Check whether a processor keeps the plugin protocol."`
	Bench     benchCommand     `cmd:"" help:"Measure a running sandbox server."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

// output is where commands write, and how long they may run.
type output struct {
	context.Context
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c commands
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("capstan"),
		kong.Description("A self-hosted payment authorization and capture server."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.DefaultEnvars("CAPSTAN"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.UsageOnError(),
	)
	if err != nil {
		fmt.Fprintln(stderr, "capstan:", err)
		return exitFailed
	}
	command, err := parser.Parse(args)
	if exited == exitOK { // --help was given and has been printed
		return exitOK
	}
	if err != nil {
		fmt.Fprintln(stderr, "capstan:", err)
		return exitUsage
	}
	err = command.Run(&output{ctx, stdout, stderr})
	var wrong usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &wrong):
		fmt.Fprintln(stderr, "capstan:", err)
		return exitUsage
	}
	fmt.Fprintln(stderr, "capstan:", err)
	return exitFailed
}

// usageError is an error of whoever typed the command.
type usageError string

func (e usageError) Error() string { return string(e) }

module github.com/capstan-pay/capstan

go 1.26

require (
	github.com/alecthomas/kong v1.17.0
	github.com/rogpeppe/go-internal v1.16.0
	pgregory.net/rapid v1.3.0
	zombiezen.com/go/sqlite v1.4.2
)

require modernc.org/sqlite v1.60.1

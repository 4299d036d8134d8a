package admin

import "context"

type nameKey struct{}

// withName notes who a request is from.
func withName(ctx context.Context, by string) context.Context {
	return context.WithValue(ctx, nameKey{}, by)
}

// nameOf is who a request is from.
func nameOf(ctx context.Context) string {
	by, _ := ctx.Value(nameKey{}).(string)
	return by
}

package risk

import (
	"fmt"
	"math"
	"regexp/syntax"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// Bounds of the work of evaluation, in CEL's units, of which each takes some
// tens of nanoseconds. Operations are judged one after the other, so the rules
// of one merchant must not hold up those of the others.
const (
	// maxCost bounds the evaluation of one condition. It is compared with the
	// worst case when a condition is configured, and enforced when it is
	// evaluated.
	maxCost = 20_000

	// maxWork bounds the worst cases of all active rules of a configuration
	// together: some milliseconds.
	maxWork = 100_000
)

// sizes tells CEL how long the values of an operation may be, and what it does
// not know of the cost of functions.
type sizes struct{}

// maxValue is more than a dialect lets any value of an operation be long.
const maxValue = 1024

// maxValues are those that cannot be nearly as long.
var maxValues = map[string]uint64{"operation.type": 16, "operation.currency": 3, "card.bin": 6, "card.fingerprint": 64, "payer.ip": 45}

// EstimateSize implements cost.Estimator.
func (sizes) EstimateSize(element cost.AstNode) *cost.SizeEstimate {
	if path := element.Path(); len(path) == 1 && element.Type().IsExactType(types.StringType) {
		most, known := maxValues[path[0]]
		if !known {
			most = maxValue
		}
		return &cost.SizeEstimate{Min: 0, Max: most}
	}
	return nil
}

// EstimateCallCost implements cost.Estimator. CEL reckons a regular expression
// by the length of its text, in which a few characters can stand for thousands
// of states. What counts is the program that it is compiled to: in the worst
// case all of it is tried at each character.
func (s sizes) EstimateCallCost(function, _ string, target *cost.AstNode, args []cost.AstNode) *cost.CallEstimate {
	if function != overloads.Matches {
		return nil
	}
	if target != nil {
		args = append([]cost.AstNode{*target}, args...)
	}
	estimate := &cost.CallEstimate{CostEstimate: cost.CostEstimate{Min: 1, Max: math.MaxUint64}}
	if states, err := statesOf(args[1].Expr()); err == nil {
		// A state and character takes about a quarter of a unit.
		estimate.CostEstimate.Max = cost.SafeAdd(1, cost.SafeMultiply(uint64(states), cost.SafeAdd(cost.EstimateSize(s, args[0]).Max, 1))/4)
	}
	return estimate
}

// statesOf returns how large a program a pattern is compiled to. It has to be
// written down: a payer must not be able to choose it.
func statesOf(pattern ast.Expr) (int, error) {
	if pattern.Kind() != ast.LiteralKind {
		return 0, fmt.Errorf("matches: the pattern must be written down, not computed")
	}
	expression, err := syntax.Parse(text(pattern), syntax.Perl)
	if err != nil {
		return 0, fmt.Errorf("matches: %w", err)
	}
	program, err := syntax.Compile(expression.Simplify())
	if err != nil {
		return 0, fmt.Errorf("matches: %w", err)
	}
	return len(program.Inst), nil
}

package risk

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// expression is a compiled condition: a CEL program that says true or false of
// an operation. It does not change and may be shared.
type expression struct {
	program cel.Program
	windows []window // what it counts
	work    uint64   // of its evaluation in the worst case
}

// truth is what is known about a condition.
type truth uint8

const (
	no truth = iota
	unknown
	yes
)

// holds tells whether the condition is true of an operation. It is unknown
// where that depends on something the operation does not say. Where it cannot
// be computed, because of a division by zero or a number beyond 64 bits, it
// holds: nothing passes a check by breaking it.
func (x *expression) holds(in *Input, u Usage, s setsOfBINs) truth {
	result, _, err := x.program.Eval(&facts{in: in, usage: u, sets: s})
	switch {
	case err != nil:
		return yes
	case types.IsUnknown(result):
		return unknown
	case result == types.True:
		return yes
	}
	return no
}

// language is CEL with the facts of an operation and our functions. It is made
// when the first condition is compiled: servers without any do not wait for it.
var language = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(append(vocabulary(),
		cel.ParserExpressionSizeLimit(16*maxText),
		cel.ParserRecursionLimit(50),
		cel.CostEstimatorOptions(costOfFunctions()...),
	)...)
})

// compileExpression reads a CEL expression. Faults say where in it they are.
func compileExpression(text string, sets map[string][]string) (*expression, error) {
	env, err := language()
	if err != nil {
		return nil, err
	}
	parsed, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, faultsOf(issues)
	}
	if t := parsed.OutputType(); !t.IsExactType(cel.BoolType) {
		return nil, fmt.Errorf("must be true or false, and is of the type %s", t)
	}
	x := &expression{}
	if x.windows, err = windowsOf(parsed.NativeRep().Expr(), sets); err != nil {
		return nil, err
	}
	worst, err := env.EstimateCost(parsed, sizes{})
	if err != nil {
		return nil, err
	}
	if worst.Max > maxCost {
		return nil, fmt.Errorf("is too much work: up to %d steps, where %d are the most", worst.Max, maxCost)
	}
	x.work = worst.Max
	x.program, err = env.Program(parsed, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize))
	return x, err
}

func faultsOf(issues *cel.Issues) error {
	var texts []string
	for _, e := range issues.Errors() {
		texts = append(texts, fmt.Sprintf("line %d, column %d: %s", e.Location.Line(), e.Location.Column()+1, e.Message))
	}
	return errors.New(strings.Join(texts, "; "))
}

// windowsOf lists what an expression counts, and sees to it that the sets it
// names are there and that its patterns are written down.
func windowsOf(root ast.Expr, sets map[string][]string) (windows []window, err error) {
	bounded := map[int64]int{} // counts that are compared with a number, by id: how many have to be remembered
	ast.PostOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		if count, n, more := comparison(e); count != nil {
			if n > maxCount && err == nil {
				err = fmt.Errorf("counts go up to %d", maxCount)
			}
			bounded[count.ID()] = int(max(n, 0)) + more
		}
	}))
	ast.PostOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		args := e.AsCall().Args()
		keep, isBounded := bounded[e.ID()]
		if !isBounded {
			keep = maxCount
		}
		switch e.AsCall().FunctionName() {
		case fnBINIn:
			name := text(args[1])
			if _, there := sets[name]; !there && err == nil {
				err = fmt.Errorf("there is no set %q", name)
			}
		case overloads.Matches:
			if _, wrong := statesOf(args[len(args)-1]); wrong != nil && err == nil {
				err = wrong
			}
		case fnAttempts:
			windows = append(windows, window{of: text(args[1]), per: subject(text(args[2])), hours: int(number(args[3])), keep: keep})
		case fnHolders:
			windows = append(windows, window{of: holders, per: subject(text(args[1])), hours: int(number(args[2])), keep: keep})
		}
	}))
	return windows, err
}

// comparison finds a count that an expression compares with a number, nil if
// there is none. To know the answer, so many and more of what is counted have
// to be remembered.
func comparison(e ast.Expr) (count ast.Expr, n int64, more int) {
	call := e.AsCall()
	switch call.FunctionName() {
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals, operators.Equals, operators.NotEquals:
	default:
		return nil, 0, 0
	}
	for i, side := range call.Args() {
		other := call.Args()[1-i]
		if side.Kind() != ast.CallKind || other.Kind() != ast.LiteralKind {
			continue
		}
		literal, isInt := other.AsLiteral().(types.Int)
		if fn := side.AsCall().FunctionName(); !isInt || fn != fnAttempts && fn != fnHolders {
			continue
		}
		exact := [2]string{operators.GreaterEquals, operators.LessEquals}[i] // count >= n, n <= count
		under := [2]string{operators.Less, operators.Greater}[i]
		if fn := call.FunctionName(); fn == exact || fn == under {
			return side, int64(literal), 0
		}
		return side, int64(literal), 1
	}
	return nil, 0, 0
}

func text(e ast.Expr) string {
	s, _ := e.AsLiteral().(types.String)
	return string(s)
}

func number(e ast.Expr) int64 {
	n, _ := e.AsLiteral().(types.Int)
	return int64(n)
}

// asValue is what CEL gets of a fact: unknown where the operation does not say.
func asValue(s string) ref.Val {
	if s == "" {
		return missing
	}
	return types.String(s)
}

var missing = types.NewUnknown(0, nil)

package risk

import (
	"fmt"
	"math/bits"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// facts are what a condition may ask about an operation. To CEL they are both
// where names are looked up and the hidden first argument of our functions.
type facts struct {
	in    *Input
	usage Usage
	sets  setsOfBINs
}

// setsOfBINs are sets of prefixes, by name.
type setsOfBINs map[string]map[string]bool

// factsName cannot be written in an expression: macros put it there.
const factsName = "@facts"

var factsType = cel.OpaqueType("risk.facts")

// What our functions are called once their arguments are checked.
const (
	fnAmountVersus = "@amountVersus"
	fnBINIn        = "@binIn"
	fnAttempts     = "@attempts"
	fnHolders      = "@holders"
)

// vocabulary are the names of CEL expressions about operations; docs/risk.md
// lists them.
func vocabulary() []cel.EnvOption {
	return []cel.EnvOption{
		cel.Variable("operation.type", cel.StringType),
		cel.Variable("operation.amount", cel.IntType),
		cel.Variable("operation.currency", cel.StringType),
		cel.Variable("card.bin", cel.StringType),
		cel.Variable("card.fingerprint", cel.StringType),
		cel.Variable("card.holder", cel.StringType),
		cel.Variable("payer.ip", cel.StringType),
		cel.Variable("payer.email", cel.StringType),
		cel.Variable(factsName, factsType),
		cel.Macros(
			cel.GlobalMacro("amountVersus", 1, checked(fnAmountVersus, majorUnits)),
			cel.GlobalMacro("binIn", 1, checked(fnBINIn, anyText)),
			cel.GlobalMacro("attempts", 3, checked(fnAttempts, oneOfTypes, oneOfSubjects, someHours)),
			cel.GlobalMacro("holders", 2, checked(fnHolders, oneOfSubjects, someHours)),
		),
		cel.Function(fnAmountVersus, cel.Overload(fnAmountVersus, []*cel.Type{factsType, cel.StringType}, cel.IntType,
			cel.BinaryBinding(func(f, major ref.Val) ref.Val {
				return types.Int(f.(*facts).amountVersus(string(major.(types.String))))
			}))),
		cel.Function(fnBINIn, cel.Overload(fnBINIn, []*cel.Type{factsType, cel.StringType}, cel.BoolType,
			cel.BinaryBinding(func(f, set ref.Val) ref.Val { return f.(*facts).binIn(string(set.(types.String))) }))),
		cel.Function(fnAttempts, cel.Overload(fnAttempts, []*cel.Type{factsType, cel.StringType, cel.StringType, cel.IntType}, cel.IntType,
			cel.FunctionBinding(func(args ...ref.Val) ref.Val {
				return args[0].(*facts).count(window{of: string(args[1].(types.String)), per: subject(args[2].(types.String)), hours: int(args[3].(types.Int))})
			}))),
		cel.Function(fnHolders, cel.Overload(fnHolders, []*cel.Type{factsType, cel.StringType, cel.IntType}, cel.IntType,
			cel.FunctionBinding(func(args ...ref.Val) ref.Val {
				return args[0].(*facts).count(window{of: holders, per: subject(args[1].(types.String)), hours: int(args[2].(types.Int))})
			}))),
	}
}

// costOfFunctions says what our functions cost at most: a window is looked
// through from end to end.
func costOfFunctions() []cost.CostOption {
	fixed := func(n uint64) cost.FunctionEstimator {
		return func(cost.Estimator, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
			return &cost.CallEstimate{CostEstimate: cost.CostEstimate{Min: 1, Max: n}}
		}
	}
	return []cost.CostOption{
		cost.OverloadCostEstimate(fnAmountVersus, fixed(1)), cost.OverloadCostEstimate(fnBINIn, fixed(6)),
		cost.OverloadCostEstimate(fnAttempts, fixed(maxCount/10)), cost.OverloadCostEstimate(fnHolders, fixed(maxCount/10)),
	}
}

// ResolveName looks a fact up.
func (f *facts) ResolveName(name string) (any, bool) {
	switch name {
	case factsName:
		return f, true
	case "operation.type":
		return types.String(f.in.Type), true
	case "operation.amount":
		return types.Int(f.in.Amount), true
	case "operation.currency":
		return asValue(string(f.in.Currency)), true
	case "card.bin":
		return asValue(f.in.BIN), true
	case "card.fingerprint":
		return asValue(f.in.Card), true
	case "card.holder":
		return asValue(f.in.Holder), true
	case "payer.ip":
		return asValue(f.in.IP), true
	case "payer.email":
		return asValue(f.in.Email), true
	}
	return nil, false
}

// amountVersus compares the operation's amount with one in major units that
// looksLikeMajor: it is -1, 0 or 1. Nothing is rounded.
func (f *facts) amountVersus(major string) int {
	whole, fraction, _ := strings.Cut(major, ".")
	digits, err := strconv.ParseUint(whole+fraction, 10, 64)
	if err != nil {
		panic("risk: an amount was not checked")
	}
	// minor/10^decimals against digits/10^scale
	high, left := bits.Mul64(uint64(max(f.in.Amount, 0)), pow10[len(fraction)])
	right := digits * pow10[f.in.Currency.Decimals()] // 15 digits and 3 more: no overflow
	switch {
	case high > 0 || left > right:
		return 1
	case left < right:
		return -1
	}
	return 0
}

var pow10 = [...]uint64{1, 10, 100, 1000, 10_000}

// looksLikeMajor tells whether a text is an amount in major units with up to
// twelve digits and three decimals.
func looksLikeMajor(s string) bool {
	whole, fraction, point := strings.Cut(s, ".")
	if whole == "" || len(whole) > 12 || len(fraction) > 3 || point && fraction == "" {
		return false
	}
	return strings.Trim(whole+fraction, "0123456789") == ""
}

// binIn tells whether the card number begins with one of a set's entries.
func (f *facts) binIn(set string) ref.Val {
	if f.in.BIN == "" {
		return missing
	}
	prefixes := f.sets[set]
	for n := range min(len(f.in.BIN), 6) {
		if prefixes[f.in.BIN[:n+1]] {
			return types.True
		}
	}
	return types.False
}

// count is how many a window has, this operation included.
func (f *facts) count(w window) ref.Val {
	name := w.name(f.in)
	if name == "" {
		return missing
	}
	t := f.usage[name]
	return types.Int(w.count(f.in, &t))
}

// argument checks an argument of one of our functions, which has to be
// written down literally; it returns what is wrong with it.
type argument func(ref.Val) string

func anyText(v ref.Val) string {
	if _, ok := v.(types.String); !ok {
		return "must be a text in quotes"
	}
	return ""
}

func majorUnits(v ref.Val) string {
	if s, ok := v.(types.String); !ok || !looksLikeMajor(string(s)) {
		return `must be major units in quotes, such as "100" or "99.50", at most 12 digits and 3 decimals`
	}
	return ""
}

func oneOfTypes(v ref.Val) string {
	if s, ok := v.(types.String); !ok || !slices.Contains(kinds, Type(s)) {
		return fmt.Sprintf("must be one of %q", kinds)
	}
	return ""
}

func oneOfSubjects(v ref.Val) string {
	if s, ok := v.(types.String); !ok || !slices.Contains(subjects, subject(s)) {
		return fmt.Sprintf("must be one of %q", subjects)
	}
	return ""
}

func someHours(v ref.Val) string {
	if n, ok := v.(types.Int); !ok || n < 1 || n > maxHours {
		return fmt.Sprintf("must be a whole number of hours from 1 to %d", maxHours)
	}
	return ""
}

// checked makes a call of one of our functions, with the facts before its own
// arguments.
func checked(function string, arguments ...argument) cel.MacroFactory {
	return func(eh cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
		for i, check := range arguments {
			wrong := "must be written down, not computed"
			if args[i].Kind() == ast.LiteralKind {
				wrong = check(args[i].AsLiteral())
			}
			if wrong != "" {
				return nil, eh.NewError(args[i].ID(), fmt.Sprintf("%s: argument %d %s", function[1:], i+1, wrong))
			}
		}
		return eh.NewCall(function, append([]ast.Expr{eh.NewIdent(factsName)}, args...)...), nil
	}
}

// Parent and the rest make facts what CEL wants of an activation and a value.
func (f *facts) Parent() interpreter.Activation { return nil }

// ConvertToNative never succeeds: facts do not leave an expression.
func (f *facts) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("risk: facts are no %s", t)
}

// ConvertToType never succeeds.
func (f *facts) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("risk: facts are no %s", t.TypeName())
}

// Equal tells whether it is the same operation.
func (f *facts) Equal(other ref.Val) ref.Val { return types.Bool(ref.Val(f) == other) }

// Type is the type of facts.
func (f *facts) Type() ref.Type { return factsType }

// Value is f itself.
func (f *facts) Value() any { return f }

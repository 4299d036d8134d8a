package intents

import (
	"context"
	"net/http"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// search answers GET /v1/payment_intents/search. A page begins behind the
// intent that the token of the page before names.
func (x *exchange) search(ctx context.Context) *problem {
	p := &x.params
	text, sent := p.text("query", 2000)
	l := listing{limit: p.limit()}
	token, _ := p.text("page", 255)
	s, _ := x.expand(below(intentPaths))
	if !sent || text == "" {
		p.fail(missingParam("query"))
	}
	if bad := p.problem(); bad != nil {
		return bad
	}
	q, why := parseSearch(text)
	if why != "" {
		return invalid("query", "We were unable to parse your search query: "+why)
	}
	var from *payment.Place
	if token != "" {
		id, _ := x.d.ParsePaymentID(token)
		v, problem := x.load(ctx, id)
		if problem != nil || v == nil {
			return or(problem, invalid("page", "Invalid page: '"+quotable(token)+"' is no page of a search."))
		}
		place := v.p.Place()
		from = &place
	}
	page, more, problem := x.pagePayments(ctx, l, q.label(), from, func(f *found) bool { return q.matches(&f.view) })
	if problem != nil {
		return problem
	}
	b := append(x.out(), "{\n  \"object\": \"search_result\",\n  \"data\": ["...)
	b = appendItems(b, len(page), func(b []byte, i int) []byte { return x.d.appendIntent(b, &page[i].view, s) })
	b = dialect.AppendBool(append(b, "],\n  \"has_more\": "...), more)
	b = append(b, ",\n  \"next_page\": "...)
	if more {
		b = append(x.d.appendIntentID(append(b, '"'), page[len(page)-1].p.ID), '"')
	} else {
		b = append(b, "null"...)
	}
	x.reply(http.StatusOK, append(b, ",\n  \"url\": \"/v1/payment_intents/search\"\n}\n"...))
	return nil
}

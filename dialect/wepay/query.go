package wepay

import "strings"

// query is GET /payments/{id}: the payment as it is now. With
// expand=payment_method it says which card was used; other parameters are
// ignored.
func (d *Dialect) query(c *call) ([]byte, *problem) {
	if wrong := c.checkID(); wrong != nil {
		return nil, invalid(wrong...)
	}
	p, err := c.find(c.payment())
	if err != nil {
		return nil, c.failed(err)
	}
	if p == nil {
		return nil, notAccessible(inPath, "id")
	}
	return c.render(p, view{expand: c.expands("payment_method")}), nil
}

// expands tells whether the query asks to expand a member.
func (c *call) expands(member string) bool {
	if c.r.URL.RawQuery == "" {
		return false
	}
	for _, list := range c.r.URL.Query()["expand"] {
		for name := range strings.SplitSeq(list, ",") {
			if strings.TrimSpace(name) == member {
				return true
			}
		}
	}
	return false
}

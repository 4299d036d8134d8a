package risk

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// document writes a verdict down.
func (c *Checks) document(v *Verdict, f *findings, in *Input, u Usage) []byte {
	b := make([]byte, 0, 512)
	if v.Rejected {
		b = append(b, `{"status":"failed","message":`...)
		b = appendString(b, v.Message)
	} else {
		b = append(b, `{"status":"successful"`...)
	}
	if f.of.spends() && !f.whiteCard {
		b = append(b, `,"limit":`...)
		b = f.limits.merchant.append(b, f.limits.volume, f.limits.count)
	}
	if f.lists != (listFacts{}) {
		b = append(b, `,"white_black_list":{"card_number":"`...)
		b = append(b, f.lists.card...)
		b = append(b, `","ip":"`...)
		b = append(b, f.lists.ip...)
		b = append(b, `","email":"`...)
		b = append(b, f.lists.email...)
		b = append(b, `"}`...)
	}
	if !f.whiteCard {
		b = append(b, `,"rules":{`...)
		b = c.appendRules(b, f)
		b = append(b, '}')
	}
	if f.limits.payerLimited {
		b = append(b, `,"payer_limit":`...)
		b = f.limits.payer.append(b, f.limits.payerVolume, f.limits.payerCount)
	}
	if v.Reason != "" {
		b = append(b, `,"reason":"`+string(v.Reason)+`"`...)
	}
	if v.Review {
		b = append(b, `,"review":true`...)
	}
	if v.Skip3DS {
		b = append(b, `,"skip_3ds":true`...)
	}
	if len(v.Counted) > 0 {
		b = append(b, `,"counted":`...)
		for i, name := range v.Counted {
			b = append(b, "[,"[min(i, 1)])
			b = appendString(b, name)
		}
		b = append(b, ']')
	}
	b = c.appendInput(append(b, `,"input":`...), in, u)
	return append(b, '}')
}

// appendInput appends what the verdict rests on: all that was known of the
// operation, and what the rules counted.
func (c *Checks) appendInput(b []byte, in *Input, u Usage) []byte {
	b = appendString(append(b, `{"type":`...), string(in.Type))
	b = strconv.AppendInt(append(b, `,"amount":`...), in.Amount, 10)
	b = appendString(append(b, `,"currency":`...), string(in.Currency))
	b = in.At.UTC().AppendFormat(append(b, `,"at":"`...), time.RFC3339Nano)
	b = append(b, '"')
	for _, m := range [...][2]string{
		{`,"payer":`, in.Payer}, {`,"card":`, in.Card}, {`,"bin":`, in.BIN}, {`,"holder":`, in.Holder}, {`,"ip":`, in.IP}, {`,"email":`, in.Email},
	} {
		if m[1] != "" {
			b = appendString(append(b, m[0]...), m[1])
		}
	}
	before := `,"counts":{`
	for _, w := range c.asked {
		name := w.name(in)
		if name == "" {
			continue
		}
		t := u[name]
		b = appendString(append(b, before...), w.key()+"/"+strconv.Itoa(w.hours))
		b = strconv.AppendInt(append(b, ':'), int64(w.count(in, &t)), 10)
		before = ","
	}
	if before == "," {
		b = append(b, '}')
	}
	return append(b, '}')
}

func (e exceeded) append(b []byte, volume, count int64) []byte {
	b = append(b, `{"volume":`...)
	b = strconv.AppendBool(b, e.volume())
	b = append(b, `,"count":`...)
	b = strconv.AppendBool(b, e.count())
	b = append(b, `,"max":`...)
	b = strconv.AppendBool(b, e.max)
	b = append(b, `,"current_volume":`...)
	b = strconv.AppendInt(b, volume, 10)
	b = append(b, `,"current_count":`...)
	b = strconv.AppendInt(b, count, 10)
	return append(b, '}')
}

func (c *Checks) appendRules(b []byte, f *findings) []byte {
	for i, level := range c.levels {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, level.key...)
		b = append(b, `:{`...)
		for j, r := range level.rules {
			if j > 0 {
				b = append(b, ',')
			}
			b = append(b, r.key...)
			b = append(b, f.rules[i][j]...)
			b = append(b, `"}`...)
		}
		b = append(b, '}')
	}
	return b
}

// appendString appends s as a JSON string, with nothing escaped that need not
// be.
func appendString(b []byte, s string) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // a string always encodes
	}
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}

// Counted returns the names of the counters in a verdict's document: those
// that the operation it was kept with counts towards. Nil stands for none.
func Counted(document []byte) ([]string, error) {
	if len(document) == 0 {
		return nil, nil
	}
	var d struct{ Counted []string }
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, err
	}
	return d.Counted, nil
}

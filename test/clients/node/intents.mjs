// Drives a server with stripe-node as its users have it: only host, port and
// protocol are other ones. Started by TestStripeNode, which says where the
// server is; leaves with 1 and a reason when anything is not as it must be.
import assert from 'node:assert/strict';
import http from 'node:http';
import Stripe from 'stripe';

const at = (url, key = process.env.SECRET_KEY) => {
  const {hostname, port} = new URL(url);
  return new Stripe(key, {host: hostname, port: Number(port), protocol: 'http', telemetry: false});
};
const stripe = at(process.env.SERVER);
const hold = (more = {}) => stripe.paymentIntents.create({
  amount: 10000, currency: 'usd', capture_method: 'manual', confirm: true, payment_method: 'pm_card_visa', ...more,
});
const refusal = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail('it was not refused');
};

const steps = {
  async 'create, confirm, capture in full'() {
    let p = await stripe.paymentIntents.create({amount: 10000, currency: 'usd', capture_method: 'manual', metadata: {order: '7'}});
    assert.equal(p.status, 'requires_payment_method');
    p = await stripe.paymentIntents.confirm(p.id, {payment_method: 'pm_card_visa'});
    assert.equal(p.status, 'requires_capture');
    p = await stripe.paymentIntents.capture(p.id);
    assert.deepEqual([p.status, p.amount_received, p.metadata.order], ['succeeded', 10000, '7']);
  },
  async 'capture a part'() {
    const {id} = await hold();
    const p = await stripe.paymentIntents.capture(id, {amount_to_capture: 8000, expand: ['latest_charge.refunds']});
    assert.deepEqual([p.amount, p.amount_received, p.latest_charge.amount_refunded], [10000, 8000, 2000]);
    assert.equal(p.latest_charge.refunds.data[0].amount, 2000);
  },
  async 'capture several times'() {
    const {id} = await hold({payment_method_options: {card: {request_multicapture: 'if_available'}}});
    const first = await stripe.paymentIntents.capture(id, {amount_to_capture: 2000, final_capture: false});
    assert.deepEqual([first.status, first.amount_capturable], ['requires_capture', 8000]);
    const last = await stripe.paymentIntents.capture(id, {amount_to_capture: 5000});
    assert.deepEqual([last.status, last.amount_received], ['succeeded', 7000]);
  },
  async 'cancel'() {
    const {id} = await hold();
    const p = await stripe.paymentIntents.cancel(id, {cancellation_reason: 'abandoned'});
    assert.deepEqual([p.status, p.cancellation_reason], ['canceled', 'abandoned']);
  },
  async 'refund'() {
    const {id} = await hold();
    await stripe.paymentIntents.capture(id);
    const r = await stripe.refunds.create({payment_intent: id, amount: 500});
    assert.deepEqual([r.object, r.status, r.amount], ['refund', 'succeeded', 500]);
    const error = await refusal(stripe.refunds.create({payment_intent: id, amount: 9501}));
    assert(error instanceof Stripe.errors.StripeInvalidRequestError);
  },
  async 'walk a list'() {
    const made = [];
    for (let i = 0; i < 5; i++) made.unshift((await stripe.paymentIntents.create({amount: 777, currency: 'eur'})).id);
    const seen = [];
    for await (const p of stripe.paymentIntents.list({limit: 2})) {
      seen.push(p.id);
      if (seen.length === 5) break;
    }
    assert.deepEqual(seen, made);
  },
  async 'search'() {
    const found = [];
    for await (const p of stripe.paymentIntents.search({query: "amount:777 AND currency:'eur'", limit: 2})) found.push(p.id);
    assert.equal(found.length, 5);
  },
  async 'a lost answer is asked for again'() {
    const {id} = await hold();
    const p = await at(process.env.LEAKY).paymentIntents.capture(id, {amount_to_capture: 100});
    assert.equal(p.amount_received, 100);
    assert.equal(p.lastResponse.headers['idempotent-replayed'], 'true');
  },
  async 'declines and refusals have their classes'() {
    const declined = await refusal(hold({payment_method: 'pm_card_visa_chargeDeclinedInsufficientFunds'}));
    assert(declined instanceof Stripe.errors.StripeCardError);
    assert.deepEqual([declined.statusCode, declined.code, declined.decline_code], [402, 'card_declined', 'insufficient_funds']);
    assert.equal(declined.payment_intent.status, 'requires_payment_method');
    assert((await refusal(stripe.paymentIntents.retrieve('pi_x'))) instanceof Stripe.errors.StripeInvalidRequestError);
    assert((await refusal(at(process.env.SERVER, 'sk_test_nobody').balance.retrieve())) instanceof Stripe.errors.StripeError);
    assert((await refusal(at(process.env.SERVER, 'sk_test_nobody').paymentIntents.list())) instanceof Stripe.errors.StripeAuthenticationError);
    const key = {idempotencyKey: 'one'};
    await stripe.paymentIntents.create({amount: 5, currency: 'usd'}, key);
    assert((await refusal(stripe.paymentIntents.create({amount: 6, currency: 'usd'}, key))) instanceof Stripe.errors.StripeIdempotencyError);
  },
  async 'webhooks pass the verifier'() {
    const got = [];
    const sink = http.createServer((request, response) => {
      const parts = [];
      request.on('data', (part) => parts.push(part));
      request.on('end', () => {
        got.push({body: Buffer.concat(parts), signature: request.headers['stripe-signature']});
        response.end();
      });
    });
    await new Promise((ready) => sink.listen(0, '127.0.0.1', ready));
    const url = `http://127.0.0.1:${sink.address().port}/hook`;
    const endpoint = await stripe.webhookEndpoints.create({url, enabled_events: ['payment_intent.succeeded']});
    const {id} = await hold();
    await stripe.paymentIntents.capture(id);
    for (let i = 0; i < 500 && got.length === 0; i++) await new Promise((next) => setTimeout(next, 20));
    assert.equal(got.length, 1);
    const event = stripe.webhooks.constructEvent(got[0].body, got[0].signature, endpoint.secret);
    assert.deepEqual([event.type, event.data.object.id], ['payment_intent.succeeded', id]);
    assert.throws(() => stripe.webhooks.constructEvent(got[0].body, got[0].signature, 'whsec_other'));
    await stripe.webhookEndpoints.del(endpoint.id);
    sink.close();
  },
};

for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`FAILED ${name}: ${error.stack}`);
    process.exitCode = 1;
  }
}

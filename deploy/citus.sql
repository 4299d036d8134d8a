-- Distributes the tables of a Capstan store over the shards of a Citus cluster.
-- Run it once, in the store's schema, after `capstan migrate` and before the
-- first `capstan serve`. See docs/scaling.md.
--
-- The tenant is the shard key: every primary key and unique constraint of the
-- tables that grow has it, and no row refers to another tenant's, so what a
-- command writes is on one shard.

-- What is small, and looked up without knowing a tenant, is on every node.
SELECT create_reference_table('capstan_schema');
SELECT create_reference_table('meta');
SELECT create_reference_table('sandbox_clock');
SELECT create_reference_table('instances');
SELECT create_reference_table('merchants');
SELECT create_reference_table('credentials');
SELECT create_reference_table('acts');

-- The rest is where its tenant is.
SELECT create_distributed_table('events', 'tenant');
SELECT create_distributed_table('states', 'tenant', colocate_with => 'events');
SELECT create_distributed_table('records', 'tenant', colocate_with => 'events');
SELECT create_distributed_table('accounts', 'tenant', colocate_with => 'events');
SELECT create_distributed_table('deposits', 'tenant', colocate_with => 'events');
SELECT create_distributed_table('balances', 'tenant', colocate_with => 'events');
SELECT create_distributed_table('balance_changes', 'tenant', colocate_with => 'events');
SELECT create_distributed_table('timers', 'tenant', colocate_with => 'events');
SELECT create_distributed_table('counters', 'tenant', colocate_with => 'events');
SELECT create_distributed_table('marks', 'tenant', colocate_with => 'events');
SELECT create_distributed_table('documents', 'tenant', colocate_with => 'events');
SELECT create_distributed_table('notices', 'tenant', colocate_with => 'events');
SELECT create_distributed_table('deliveries', 'tenant', colocate_with => 'events');
SELECT create_distributed_table('attempts', 'tenant', colocate_with => 'events');
SELECT create_distributed_table('wallet_users', 'tenant', colocate_with => 'events');
SELECT create_distributed_table('wallet_balances', 'tenant', colocate_with => 'events');
SELECT create_distributed_table('wallet_grants', 'tenant', colocate_with => 'events');

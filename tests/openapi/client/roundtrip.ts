// A client that was generated from the document, against a running service: each answer's type is what the document says,
// so what compiles here and passes is what others can build on.
//
//   node roundtrip.js http://127.0.0.1:PORT

import assert from 'node:assert/strict';
import createClient from 'openapi-fetch';
import type { components, paths } from './document.js';

const client = createClient<paths>({ baseUrl: process.argv[2] });
const ns = 'roundtrip';

async function entries(): Promise<void> {
    const params = { path: { ns, key: 'a/b c' } };
    const put = await client.PUT('/cache/{ns}/{key}', {
        params: { ...params, query: { ttl: '60s' }, header: { 'If-None-Match': '*' } },
        body: { name: 'Ada' },
    });
    assert.equal(put.response.status, 201);
    assert.equal(put.data?.created, true);

    const got = await client.GET('/cache/{ns}/{key}', { params });
    const entry: components['schemas']['Entry'] | undefined = got.data as components['schemas']['Entry'] | undefined;
    assert.deepEqual(entry?.value, { name: 'Ada' });
    assert.equal(entry?.key, 'a/b c');
    assert.ok(entry.ttl !== null && entry.ttl > 0 && entry.ttl <= 60);

    const again = await client.PUT('/cache/{ns}/{key}', { params: { ...params, header: { 'If-None-Match': '*' } }, body: {} });
    assert.equal(again.response.status, 412);
    assert.equal(again.error?.type, '/problems/precondition-failed');

    const touched = await client.PATCH('/cache/{ns}/{key}', { params, body: { ttl: null } });
    assert.equal(touched.data?.ttl, null);

    const gone = await client.DELETE('/cache/{ns}/{key}', { params: { ...params, header: { 'If-Match': entry.etag } } });
    assert.equal(gone.data?.deleted, true);
    const missing = await client.GET('/cache/{ns}/{key}', { params });
    assert.equal(missing.error?.status, 404);
    assert.equal(missing.error?.type, '/problems/not-found');
}

async function counters(): Promise<void> {
    const params = { path: { ns, key: 'visits' } };
    const first = await client.POST('/counters/{ns}/{key}', { params, body: { by: 2, max: 3, ttl: '1h' } });
    assert.equal(first.data?.value, 2);
    const over = await client.POST('/counters/{ns}/{key}', { params, body: { by: 2, max: 3 } });
    assert.equal(over.response.status, 409);
    assert.equal(over.error?.value, 2);
    const deleted = await client.DELETE('/counters/{ns}/{key}', { params });
    assert.equal(deleted.data?.deleted, true);
}

async function limits(): Promise<void> {
    const params = { path: { ns, key: 'logins' } };
    const body = { limit: 1, window: 60 };
    const granted = await client.POST('/limits/{ns}/{key}', { params, body });
    assert.equal(granted.data?.remaining, 0);
    const refused = await client.POST('/limits/{ns}/{key}', { params, body });
    assert.equal(refused.response.status, 429);
    assert.equal(refused.error?.allowed, false);
    assert.ok(Number(refused.response.headers.get('Retry-After')) > 0);
}

async function locks(): Promise<void> {
    const path = { ns, name: 'report' };
    const grant = await client.POST('/locks/{ns}/{name}', { params: { path }, body: { ttl: 10 } });
    assert.equal(grant.response.status, 201);
    const token = grant.data?.token;
    assert.ok(token);
    const held = await client.POST('/locks/{ns}/{name}', { params: { path } });
    assert.equal(held.error?.type, '/problems/lock-held');
    const state = await client.GET('/locks/{ns}/{name}', { params: { path } });
    assert.equal(state.data?.held, true);
    const renewed = await client.PATCH('/locks/{ns}/{name}', {
        params: { path, header: { 'Lock-Token': token } },
        body: { ttl: '20s' },
    });
    assert.equal(renewed.data?.fence, grant.data?.fence);
    const released = await client.DELETE('/locks/{ns}/{name}', { params: { path, header: { 'Lock-Token': token } } });
    assert.equal(released.response.status, 204);
}

async function batch(): Promise<void> {
    const done = await client.POST('/cache/{ns}', {
        params: { path: { ns } },
        body: { ops: [{ op: 'put', key: 'x', value: [1, 2] }, { op: 'get', key: 'x' }, { op: 'get', key: 'y' }] },
    });
    assert.ok(done.data && 'results' in done.data);
    assert.deepEqual(done.data.results.map((result) => result.status), [201, 200, 404]);
    assert.deepEqual(done.data.results[1]?.value, [1, 2]);
    assert.equal(done.data.results[2]?.error?.type, '/problems/not-found');

    const flushed = await client.POST('/flush', { body: { namespace: ns } });
    assert.equal(flushed.data?.flushed, ns);
}

await entries();
await counters();
await limits();
await locks();
await batch();
console.log('round trip done');

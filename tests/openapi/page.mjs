// The page in a real browser, with the policy that the service sends: everything shows, nothing is asked elsewhere, a request
// can be tried, with a token if the reader gives one.
//
//   node page.mjs http://127.0.0.1:PORT EXECUTABLE

import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const [base, executablePath] = process.argv.slice(2);
const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync'],
});
try {
    const page = await browser.newPage();
    const complaints = [];
    const requests = [];
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => requests.push(request));
    await page.addInitScript(() => {
        document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective}`));
    });
    await page.goto(`${base}/docs`);
    await page.waitForSelector('.opblock');

    const document = await (await fetch(`${base}/openapi.json`)).json();
    const operations = Object.values(document.paths).flatMap((item) => Object.values(item));
    assert.equal(await page.locator('.opblock').count(), operations.length);

    // A reader's token goes with what is tried.
    await page.locator('.auth-wrapper .authorize').first().click();
    await page.locator('.auth-container input').first().fill('a-reader-s-token');
    await page.locator('.auth-container button.authorize').first().click();
    await page.locator('.auth-container button.btn-done').first().click();

    async function tryOperation(tag, name) {
        const block = page.locator(`#operations-${tag}-${name}`);
        await block.locator('.opblock-summary-control').first().click();
        await block.locator('.try-out__btn').click();
        await block.locator('.execute').click();
        const status = block.locator('.live-responses-table tbody .response-col_status').first();
        await status.waitFor();
        return (await status.innerText()).slice(0, 3);
    }
    // As they stand on the page, nothing filled in by hand.
    assert.equal(await tryOperation('entries', 'writeEntry'), '201');
    assert.equal(await tryOperation('entries', 'readEntry'), '200');
    assert.equal(await tryOperation('counters', 'addToCounter'), '200');
    assert.equal(await tryOperation('locks', 'acquireLock'), '201');
    assert.equal(await tryOperation('limits', 'takeFromLimit'), '200');
    assert.equal(await tryOperation('many', 'runBatch'), '200');
    assert.equal(await tryOperation('namespaces', 'flush'), '200');
    assert.equal(await tryOperation('entries', 'readBytes'), '404');

    const put = requests.find((request) => request.method() === 'PUT');
    assert.equal((await put.allHeaders()).authorization, 'Bearer a-reader-s-token');
    const elsewhere = requests.map((request) => request.url()).filter((url) => !url.startsWith(`${base}/`) && !url.startsWith('data:'));
    assert.deepEqual(elsewhere, []);
    assert.deepEqual(complaints.filter((text) => !text.includes('404 (Not Found)')), []);
    console.log('page done');
} finally {
    await browser.close();
}

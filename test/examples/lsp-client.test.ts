/** examples/lsp-client with the real language server. */
import process from 'node:process'
import test from 'ava'
import { runExample } from './example.js'

const WATCHDOG_MS = 60_000

const onPosix = process.platform === 'win32' ? test.skip : test

onPosix('the language client prints what is wrong, and the server ends', async (t) => {
  t.timeout(WATCHDOG_MS)
  const { end, stdout, stderr } = await runExample('lsp-client/client.js', [], WATCHDOG_MS)
  t.deepEqual([end, stderr], [0, ''])
  t.regex(stdout, /^the server can \d+ things\n(line \d: .+\n)+the server ended with 0\n$/)
})

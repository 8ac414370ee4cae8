import { pathToFileURL } from 'node:url'
import { resolve } from 'node:path'
import test from 'ava'
import { stuckReason } from '../../../engine/shard/stuck-reason.js'

const said = 'the worker thread did not answer for 250 ms (stuckTimeoutMs) while work was waiting, and was ended'
const path = resolve('folder', 'work.js')
const busy = { name: 'work', url: pathToFileURL(path).href, line: 3, column: 7 }
const nodes = { name: 'readFileSync', url: 'node:fs', line: 440, column: 1 }
const nameless = { name: '<anonymous>', url: '', line: 1, column: 1 }

test('the reason names what the host wrote, and its stack is that of the thread', (t) => {
  const reason = stuckReason(250, { kind: 'running', frames: [nodes, busy, nameless] })
  t.is(reason.message, `${said}; it was running work at ${path}:3`)
  t.deepEqual(reason.stack?.split('\n'), [
    `Error: ${reason.message}`,
    '    at readFileSync (node:fs:440:1)',
    `    at work (${path}:3:7)`,
    '    at <anonymous> (<anonymous>:1:1)',
  ])
})

test('code that is its own URL is named by its beginning', (t) => {
  const url = `data:text/javascript,${'x'.repeat(9_000)}`
  const reason = stuckReason(250, { kind: 'running', frames: [{ name: 'work', url, line: 1, column: 1 }] })
  t.regex(reason.message, /it was running work at data:text\/javascript,x+…:1$/)
  t.true((reason.stack ?? '').length < 500)
})

test('where only Node is on the stack, the reason names that', (t) => {
  const reason = stuckReason(250, { kind: 'running', frames: [nodes] })
  t.is(reason.message, `${said}; it was running readFileSync at node:fs:440`)
})

test('a thread in native code is called that, and what cannot be told is not guessed', (t) => {
  t.is(stuckReason(250, { kind: 'native' }).message, `${said}; its thread was in native code, which shows no stack`)
  t.is(stuckReason(250, { kind: 'unknown' }).message, said)
})

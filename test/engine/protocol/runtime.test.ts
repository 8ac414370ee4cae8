/** What runtimes are told that are no Node; test/tools/ runs them. */
import process from 'node:process'
import test from 'ava'
import {
  assertPassesDescriptors,
  assertRuntime,
  assertServes,
  passesDescriptors,
} from '../../../engine/protocol/runtime.js'
import { serializeError } from '../../../engine/protocol/errors.js'
import { throws } from '../../helpers/expected-errors.js'

test('Node is supported', (t) => {
  t.notThrows(() => assertRuntime())
  t.true(passesDescriptors)
  t.notThrows(() => assertPassesDescriptors('fd:3'))
  t.notThrows(() => assertServes('local:x'))
})

test('Bun is told by its version, and what to use', (t) => {
  const { message, retryable } = throws(
    t,
    () => assertRuntime({ ...process.versions, bun: '1.4.5' }),
    'ERR_UNSUPPORTED_RUNTIME',
  )
  t.regex(message, /^no engine works in Bun 1\.4\.5: .* Run this program with Node 20\.19 or later/)
  t.false(retryable)
})

test('where threads pass no descriptors, nothing that needs them is begun', (t) => {
  const code = 'ERR_UNSUPPORTED_RUNTIME'
  const listening = throws(t, () => assertPassesDescriptors('fd:3', false), code)
  t.regex(listening.message, /^listening on fd:3: Deno passes no sockets .* Listen on a path, or run this program/)
  t.regex(throws(t, () => assertServes('local:x', false), code).message, /^local:x: Deno runs no handler modules\./)
})

test('what Deno denies is ERR_ACCESS, with the flag that it names', (t) => {
  const denial = new Error('Requires net access to "unix:/x", run again with the --allow-net flag')
  denial.name = 'NotCapable'
  const { code, message } = serializeError(denial)
  t.is(code, 'ERR_ACCESS')
  t.is(message, `Deno's permissions forbid it: ${denial.message}.`)
})

import process from 'node:process'
import test from 'ava'
import { loadExperimental } from '../../../engine/internals/experimental-module.js'
import { WarningBook } from '../../helpers/warnings.js'

test('an experimental module is loaded without a warning, and warnings are as before afterwards', async (t) => {
  const warnings = new WarningBook()
  const before: unknown = Reflect.get(process, 'emitWarning')
  try {
    for (const name of ['node:wasi', 'node:ffi']) t.is(loadExperimental(name), process.getBuiltinModule(name))
    t.is(loadExperimental('node:no-such-module'), undefined)
    t.deepEqual(await warnings.rest(), [])
    t.true(Reflect.get(process, 'emitWarning') === before)
  } finally {
    warnings.close()
  }
})

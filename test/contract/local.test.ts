import test from 'ava'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { addressParts } from './parts.js'
import { transportContract } from './transport-contract.js'
import { local } from './transports.js'

/** There `local:` is a pipe: no folder, no file, no half-close. */
const isPipe = process.platform === 'win32'

// `local:` names live in the user's runtime folder: a folder of this file's own instead, for this process.
const runtime = await makeTemporaryFolder()
process.env['XDG_RUNTIME_DIR'] = runtime.path

test.after.always('the runtime folder is removed', async (t) => {
  t.deepEqual(await runtime.list(), isPipe ? [] : ['symphony-transport'])
  await runtime.remove()
})

transportContract(local, addressParts)

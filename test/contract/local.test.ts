import { join } from 'node:path'
import test from 'ava'
import { makeTemporaryFolder, randomName } from '../helpers/temporary-folder.js'
import { transportContract } from './transport-contract.js'

// `local:` names live in the user's runtime folder: a folder of this file's own instead, for this process.
const runtime = await makeTemporaryFolder()
process.env['XDG_RUNTIME_DIR'] = runtime.path

test.after.always('the runtime folder is removed', async (t) => {
  t.deepEqual(await runtime.list(), ['symphony-transport'])
  await runtime.remove()
})

transportContract({
  kind: 'local',
  supported: process.platform !== 'win32',
  nobody: 'ERR_NOT_FOUND',
  makeEndpoint() {
    const name = randomName()
    return Promise.resolve({
      endpoint: `local:${name}`,
      socketFile: join(runtime.path, 'symphony-transport', `${name}.sock`),
      remove: () => Promise.resolve(),
    })
  },
})

import process from 'node:process'
import test from 'ava'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { handledContract } from './handled-contract.js'

// `local:` names live in the user's runtime folder: one of this file's own, for the threads that come, too.
const runtime = await makeTemporaryFolder()
process.env['XDG_RUNTIME_DIR'] = runtime.path

handledContract('local')

test.after.always('the runtime folder is removed', () => runtime.remove())

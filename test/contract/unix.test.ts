import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { transportContract } from './transport-contract.js'

transportContract({
  kind: 'unix',
  supported: process.platform !== 'win32',
  halfClose: true,
  noListener: 'ERR_NOT_FOUND',
  async makeEndpoint() {
    const folder = await makeTemporaryFolder()
    const path = folder.socketPath()
    return { endpoint: `unix:${path}`, socketFile: path, remove: () => folder.remove() }
  },
})

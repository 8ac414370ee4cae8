import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { shardWritesParts } from './parts.js'
import { transportContract } from './transport-contract.js'

transportContract(
  {
    kind: 'unix',
    supported: process.platform !== 'win32',
    halfClose: true,
    noListener: 'ERR_NOT_FOUND',
    options: { inlineWrites: 'never' },
    async makeEndpoint() {
      const folder = await makeTemporaryFolder()
      const path = folder.socketPath()
      return { endpoint: `unix:${path}`, socketFile: path, remove: () => folder.remove() }
    },
  },
  shardWritesParts,
)

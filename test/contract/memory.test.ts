import { randomName } from '../helpers/temporary-folder.js'
import { transportContract } from './transport-contract.js'

transportContract({
  kind: 'memory',
  supported: true,
  halfClose: true,
  noListener: 'ERR_NOT_FOUND',
  makeEndpoint: () =>
    Promise.resolve({
      endpoint: `memory:${randomName()}`,
      socketFile: undefined,
      remove: () => Promise.resolve(),
    }),
})

import { isExclusive } from '../helpers/platform.js'
import { randomName } from '../helpers/temporary-folder.js'
import { transportContract } from './transport-contract.js'

transportContract({
  kind: 'pipe',
  supported: process.platform === 'win32',
  halfClose: false,
  exclusive: isExclusive,
  waitsWhenFull: false,
  lingers: true,
  noListener: 'ERR_NOT_FOUND',
  makeEndpoint: () =>
    Promise.resolve({
      endpoint: `pipe:${randomName()}`,
      socketFile: undefined,
      remove: () => Promise.resolve(),
    }),
})

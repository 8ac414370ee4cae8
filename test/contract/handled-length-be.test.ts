import { handledContract } from './handled-contract.js'

handledContract('length-be')

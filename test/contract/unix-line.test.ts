import { framedContract } from './framed.js'

framedContract('unix', 'line')

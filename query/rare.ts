/** What only rare statements need, as one module: the relations of the space itself, and the making of policies. Loaded at the first of them (`Session.provide`). */
export { schemaAfterPolicy } from './define-policy.js'
export { Relations } from './relations.js'

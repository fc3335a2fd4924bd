export * from './definition.js'
export * from './diagram.js'
export * from './engine.js'
export * from './ids.js'
export * from './inbox.js'
export * from './input.js'
export * from './postgres/migrations.js'
export { pgSagaStore } from './postgres/store.js'
export { react, type Reaction, type ReactionRefused } from './react.js'
export {
  actionsOf,
  attentionsOf,
  hasEnded,
  NEW_SAGA,
  sagaStream,
  statusOf,
  type ActionState,
  type Attention,
  type SagaEvent,
  type SagaState,
  type SagaStatus,
} from './state.js'
export * from './store.js'
export { viewOf } from './turn.js'
export * from './worker.js'

/** What the app's parts are injected by: ports, with PostgreSQL behind them. */
export const ALERTS = Symbol('AlertStore')
export const CLOCK = Symbol('Clock')
export const FEATURES = Symbol('FeatureStore')
export const MODELS = Symbol('Models')
export const HASH_KEY = Symbol('key of the hashes of addresses and devices')

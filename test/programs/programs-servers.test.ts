import { group } from './programs.ts';

group('servers');

import { group } from './programs.ts';

group('editors');

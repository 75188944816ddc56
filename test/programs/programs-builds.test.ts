import { group } from './programs.ts';

group('builds');

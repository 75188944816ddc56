import { group } from './programs.ts';

group('languages');

#define WICK_ROWS <tests/support/op_table/sort.h>
#define WICK_ROWS_NAME "sort"
#include <tests/support/op_table/define.h>

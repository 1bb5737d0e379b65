#define WICK_ROWS <tests/support/op_table/scan.h>
#define WICK_ROWS_NAME "scan"
#include <tests/support/op_table/define.h>

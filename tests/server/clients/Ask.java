import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;

/** Asks as BI tools on the JVM do; each line that it prints is a fact. */
public class Ask {
  public static void main(String[] arguments) throws SQLException {
    try (Connection connection = DriverManager.getConnection(arguments[0], "analyst", "")) {
      DatabaseMetaData metaData = connection.getMetaData();
      try (ResultSet tables = metaData.getTables(null, "public", "%", new String[] {"TABLE"})) {
        while (tables.next()) {
          System.out.println("table " + tables.getString("TABLE_NAME"));
        }
      }
      try (ResultSet columns = metaData.getColumns(null, null, "tiny_sales", "%")) {
        while (columns.next()) {
          System.out.println("column " + columns.getString("COLUMN_NAME") + " " + columns.getString("TYPE_NAME"));
        }
      }
      metaData.getPrimaryKeys(null, null, "tiny_sales").close();
      // Prepared on the server from the fifth time on, with binary values.
      try (PreparedStatement statement = connection.prepareStatement(
          "SELECT \"City\", SUM(\"Amount\") AS amount FROM tiny_sales WHERE \"Month\" = ? GROUP BY 1 ORDER BY 1")) {
        for (int turn = 0; turn < 8; turn++) {
          statement.setString(1, "month " + turn % 4);
          try (ResultSet rows = statement.executeQuery()) {
            ResultSetMetaData described = rows.getMetaData();
            while (rows.next()) {
              System.out.println("turn " + turn + " " + rows.getString(1) + " " + rows.getBigDecimal(2).toPlainString()
                  + " " + described.getColumnTypeName(2));
            }
          }
        }
      }
      connection.setAutoCommit(false);
      try (Statement statement = connection.createStatement()) {
        statement.setFetchSize(3);
        int count = 0;
        try (ResultSet rows = statement.executeQuery("SELECT \"Day\", \"Shop\", \"Amount\" FROM tiny_sales")) {
          while (rows.next()) {
            count++;
          }
        }
        System.out.println("rows in parts " + count);
      }
      try (Statement statement = connection.createStatement()) {
        statement.executeQuery("SELECT \"Nowhere\" FROM tiny_sales");
      } catch (SQLException error) {
        System.out.println("error " + error.getSQLState());
      }
      connection.rollback();
    }
  }
}
